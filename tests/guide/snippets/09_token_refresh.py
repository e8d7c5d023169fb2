import requestx
from datetime import datetime, timedelta

class TokenManager:
    def __init__(self, client_id: str, client_secret: str, token_url: str):
        self.client_id = client_id
        self.client_secret = client_secret
        self.token_url = token_url
        self.access_token = None
        self.expires_at = None

    def get_token(self) -> str:
        if self.access_token and self.expires_at and datetime.now() < self.expires_at:
            return self.access_token

        response = requestx.post(
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

# Usage
token_manager = TokenManager(
    "client-id",
    "client-secret",
    "https://auth.example.com/oauth/token"
)

with requestx.Client() as client:
    # Token is refreshed automatically when needed
    response = client.get(
        "https://api.example.com/data",
        headers={"Authorization": f"Bearer {token_manager.get_token()}"}
    )
