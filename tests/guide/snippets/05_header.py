import requestx

# API Key in header
headers = {"X-API-Key": "your-api-key"}
response = requestx.get(
    "https://api.example.com/data",
    headers=headers
)
