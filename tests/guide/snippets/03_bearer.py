import requestx

# Using Auth.bearer()
auth = requestx.Auth.bearer("your-api-token-here")
response = requestx.get(
    "https://httpbin.org/bearer",
    auth=auth
)
print(response.status_code) # 200
