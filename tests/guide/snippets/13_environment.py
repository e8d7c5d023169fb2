import os
import requestx

api_key = os.environ.get("API_KEY")
auth = requestx.Auth.bearer(api_key)
