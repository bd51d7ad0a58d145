"""v1_app.py - the least FastAPI application that answers /v1/chat/completions, for v1_baseline.py.

SPDX-License-Identifier: Apache-2.0
"""
import time
import uuid
from typing import List, Optional

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

TEXT = "Bees live in hives: ü, 蜂, 🐝."
app = FastAPI()


class Message(BaseModel):
    role: str
    content: str


class Request(BaseModel):
    model: str
    messages: List[Message]
    temperature: Optional[float] = 1
    max_tokens: Optional[int] = None


@app.post("/v1/chat/completions")
async def chat(q: Request):
    if q.model != "script:plain.json":
        raise HTTPException(404)
    n, m = (sum(len(x.content.encode()) for x in q.messages) + 3) // 4, (len(TEXT.encode()) + 3) // 4
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion", "created": int(time.time()), "model": q.model,
            "system_fingerprint": None,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT, "refusal": None}, "logprobs": None,
                         "finish_reason": "stop"}],
            "usage": {"prompt_tokens": n, "completion_tokens": m, "total_tokens": n + m}}
