# Good
response = requestx.get("https://api.example.com/data", auth=auth)

# Bad - credentials sent in plain text
response = requestx.get("http://api.example.com/data", auth=auth)
