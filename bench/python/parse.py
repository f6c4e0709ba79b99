"""Nanoseconds per message of wechatpy, for the pushes on standard input (`parse list MODE COUNT`): parse.py plain|secure."""

import json
import sys
import time

from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature

TOKEN = "GatewayTestToken01"
crypto = WeChatCrypto(TOKEN, "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW", "wx0123456789abcdef")
pushes = [json.loads(line) for line in sys.stdin]
begun = time.perf_counter_ns()
for push in pushes:
    if sys.argv[1] == "secure":
        xml = crypto.decrypt_message(push["body"], push["signature"], push["timestamp"], push["nonce"])
    else:
        check_signature(TOKEN, push["signature"], push["timestamp"], push["nonce"])
        xml = push["body"]
    assert parse_message(xml).source
print((time.perf_counter_ns() - begun) // len(pushes))
