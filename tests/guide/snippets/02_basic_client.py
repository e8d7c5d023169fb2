import requestx

with requestx.Client(auth=requestx.Auth.basic("user", "pass")) as client:
    # All requests will include Basic auth
    response = client.get("https://api.example.com/protected")
