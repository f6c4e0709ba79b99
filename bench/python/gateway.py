"""The same on the usual stack of Python, for comparison: wechatpy behind an ASGI server.

Nothing is stored. wechatpy checks signatures where it is told to, as its own examples do.
TOKEN, AES_KEY, APP_ID, IM_URL, and RELAY=0 to leave the call to IM out.
"""

import os
import random

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature

TOKEN, APP_ID = os.environ["TOKEN"], os.environ["APP_ID"]
RELAY = os.environ.get("RELAY") != "0"
crypto = WeChatCrypto(TOKEN, os.environ["AES_KEY"], APP_ID)
im = httpx.AsyncClient(base_url=os.environ["IM_URL"])


async def send_message(sender, text):
    await im.post(
        f"/v4/openim/sendmsg?identifier=administrator&random={random.getrandbits(32)}&contenttype=json",
        json={
            "SyncOtherMachine": 2,
            "From_Account": sender,
            "To_Account": "user1",
            "MsgRandom": random.getrandbits(32),
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}],
        },
    )


async def push(request):
    query, body = request.query_params, await request.body()
    check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
    if query.get("encrypt_type") == "aes":
        body = crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
    message = parse_message(body)
    if RELAY and message.type == "text":
        await send_message(message.source, message.content)
    return PlainTextResponse("success")


app = Starlette(routes=[Route("/wechat/shop", push, methods=["POST"])])
