import requestx

response = requestx.get(
    "https://api.example.com/data",
    params={"api_key": "your-api-key"}
)
