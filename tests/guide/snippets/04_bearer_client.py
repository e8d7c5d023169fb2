import requestx

# Set bearer token for all requests
with requestx.Client(auth=requestx.Auth.bearer("api-token")) as client:
    users = client.get("https://api.example.com/users").json()
    profile = client.get("https://api.example.com/profile").json()
