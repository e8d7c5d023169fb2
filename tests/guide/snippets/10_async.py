import asyncio
import requestx

async def main():
    async with requestx.AsyncClient(
        auth=requestx.Auth.bearer("your-token")
    ) as client:
        response = await client.get("https://api.example.com/data")
        print(response.json())

asyncio.run(main())
