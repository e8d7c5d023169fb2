import requestx

proxy = requestx.Proxy(
    url="http://proxy.example.com:8080",
    username="proxy-user",
    password="proxy-pass"
)

with requestx.Client(proxy=proxy) as client:
    response = client.get("https://api.example.com/data")
