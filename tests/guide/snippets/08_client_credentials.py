import requestx

def get_oauth_token(client_id: str, client_secret: str, token_url: str) -> str:
    response = requestx.post(
        token_url,
        data={
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
    )
    response.raise_for_status()
    return response.json()["access_token"]

# Get token and use it
token = get_oauth_token(
    "your-client-id",
    "your-client-secret",
    "https://auth.example.com/oauth/token"
)

with requestx.Client(auth=requestx.Auth.bearer(token)) as client:
    data = client.get("https://api.example.com/protected").json()
