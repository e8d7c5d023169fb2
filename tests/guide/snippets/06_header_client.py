import requestx

with requestx.Client(
    headers={"X-API-Key": "your-api-key"}
) as client:
    response = client.get("https://api.example.com/data")
