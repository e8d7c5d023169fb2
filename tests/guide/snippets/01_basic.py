import requestx

# Using Auth.basic()
auth = requestx.Auth.basic("username", "password")
response = requestx.get(
    "https://httpbin.org/basic-auth/username/password",
    auth=auth
)
print(response.status_code) # 200
