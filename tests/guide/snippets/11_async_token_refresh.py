import asyncio
import requestx
from datetime import datetime, timedelta

class AsyncTokenManager:
    def __init__(self, client_id: str, client_secret: str, token_url: str):
        self.client_id = client_id
        self.client_secret = client_secret
        self.token_url = token_url
        self.access_token = None
        self.expires_at = None
        self._lock = asyncio.Lock()

    async def get_token(self, client: requestx.AsyncClient) -> str:
        async with self._lock:
            if self.access_token and self.expires_at and datetime.now() < self.expires_at:
                return self.access_token

            response = await client.post(
                self.token_url,
                data={
                    "grant_type": "client_credentials",
                    "client_id": self.client_id,
                    "client_secret": self.client_secret,
                }
            )
            response.raise_for_status()
            data = response.json()
            self.access_token = data["access_token"]
            expires_in = data.get("expires_in", 3600)
            self.expires_at = datetime.now() + timedelta(seconds=expires_in - 60)
            return self.access_token

async def main():
    token_manager = AsyncTokenManager(
        "client-id",
        "client-secret",
        "https://auth.example.com/oauth/token"
    )

    async with requestx.AsyncClient() as client:
        token = await token_manager.get_token(client)
        response = await client.get(
            "https://api.example.com/data",
            headers={"Authorization": f"Bearer {token}"}
        )
        print(response.json())

asyncio.run(main())
