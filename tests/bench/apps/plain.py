"""The plain way: Flask, Twilio's `RequestValidator`, marshmallow and one ORM session a request.

A send holds no connection during the call, as the gateway does; nothing else makes it safe.
"""

import os
from datetime import UTC, datetime
from uuid import uuid4

import phonenumbers
from flask import Flask, request
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, validate
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from twilio.request_validator import RequestValidator

from bench.apps.sdk import create
from bench.apps.store import RANK

app = Flask(__name__)
_url = os.environ["BENCH_DATABASE"]
_engine = create_engine(_url, pool_size=int(os.environ["BORDERPOST_THREADS"]), max_overflow=0)
_validator = RequestValidator(os.environ["BENCH_AUTH_TOKEN"])


class Base(DeclarativeBase):
    pass


class Message(Base):
    __tablename__ = "message"
    id: Mapped[str] = mapped_column(primary_key=True)
    message_sid: Mapped[str | None]
    to_number: Mapped[str]
    body: Mapped[str]
    country: Mapped[str | None]
    status: Mapped[str]
    rank: Mapped[int]
    num_segments: Mapped[int | None]
    handed_off_at: Mapped[str | None]
    delivered_at: Mapped[str | None]
    created_at: Mapped[str]
    updated_at: Mapped[str]


class Event(Base):
    __tablename__ = "message_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    message_sid: Mapped[str]
    status: Mapped[str]
    raw: Mapped[str | None]
    at: Mapped[str]


class Policy(Base):
    __tablename__ = "policy"
    country: Mapped[str] = mapped_column(primary_key=True)
    allowed: Mapped[bool]


class Callback(Schema):
    MessageSid = fields.String(required=True, validate=validate.Regexp(r"^(SM|MM)[0-9a-f]{32}$"))
    MessageStatus = fields.String(required=True, validate=validate.OneOf(list(RANK)))
    ErrorCode = fields.Integer(load_default=None)


class SendBody(Schema):
    use_case_id = fields.UUID(required=True)
    to_phone_number = fields.String(required=True, validate=validate.Regexp(r"^\+[1-9]\d{1,14}$"))
    message = fields.String(required=True, validate=validate.Length(1, 1600))


class SentBody(Schema):
    id = fields.String()
    message_sid = fields.String()
    to_number = fields.String()
    body = fields.String()
    status = fields.String()
    num_segments = fields.Integer()
    created_at = fields.String()
    updated_at = fields.String()


def _now() -> str:
    return datetime.now(UTC).isoformat()


@app.post("/v1/webhook/twilio/sms-status")
def sms_status() -> ResponseReturnValue:
    url = os.environ["BENCH_PUBLIC_URL"] + request.full_path
    if not _validator.validate(url, request.form, request.headers.get("X-Twilio-Signature", "")):
        return "", 403
    values = Callback(unknown=EXCLUDE).load(request.form)
    sid, status = values["MessageSid"], values["MessageStatus"]
    with Session(_engine) as session, session.begin():
        message = session.query(Message).filter_by(message_sid=sid).with_for_update().one_or_none()
        session.add(Event(message_sid=sid, status=status, raw=str(request.form), at=_now()))
        if message is not None and message.rank < RANK[status]:
            message.status, message.rank, message.updated_at = status, RANK[status], _now()
            message.handed_off_at = message.handed_off_at or _now()
            if status == "delivered":
                message.delivered_at = _now()
    return "", 204


@app.post("/v1/sms")
def send_sms() -> ResponseReturnValue:
    given = SendBody().load(request.get_json())
    number = phonenumbers.parse(given["to_phone_number"])
    if not phonenumbers.is_valid_number(number):
        return {"code": "InvalidDestination"}, 422
    country = phonenumbers.region_code_for_number(number)
    with Session(_engine, expire_on_commit=False) as session:
        policy = session.get(Policy, country)
        if policy is None or not policy.allowed:
            return {"code": "DestinationBlocked"}, 422
        message = Message(
            id=str(uuid4()),
            to_number=given["to_phone_number"],
            body=given["message"],
            country=country,
            status="pending",
            rank=0,
            created_at=_now(),
            updated_at=_now(),
        )
        session.add(message)
        session.commit()
        message.message_sid = create(message.to_number, message.body)
        message.updated_at = _now()
        session.commit()
    return SentBody().dump(message), 201
