"""Events of SQS queues, in the shape in which AWS sends them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:shop-production-jobs"


def message_id(number: int) -> str:
    return str(UUID(int=number))


def batch(*bodies: Any, queue: str = QUEUE) -> dict[str, Any]:
    """Make an event of messages with the ids of their places; what is no text is sent as JSON."""
    records = [
        {
            "messageId": message_id(number),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795269600000"},
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": queue,
            "awsRegion": "eu-central-1",
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def failures(result: dict[str, Any]) -> list[int]:
    """Return the places of the messages that the queue is to deliver again."""
    return [UUID(item["itemIdentifier"]).int for item in result["batchItemFailures"]]
