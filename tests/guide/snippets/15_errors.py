import requestx
from requestx import HTTPStatusError

try:
    response = requestx.get(
        "https://api.example.com/data",
        auth=requestx.Auth.bearer("token")
    )
    response.raise_for_status()
except HTTPStatusError as e:
    if e.response.status_code == 401:
        print("Authentication failed - check your credentials")
    elif e.response.status_code == 403:
        print("Access denied - insufficient permissions")
    else:
        raise
