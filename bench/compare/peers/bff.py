"""The backend that a team would write by hand: FastAPI in front of the vendor, with httpx and typed models.

It knows one token, asks the vendor over one shared client, checks what comes,
and answers in its own words. `/cached/domains` keeps the list by aiocache.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from aiocache import cached
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

VENDOR = os.environ["VENDOR"]
TOKEN = os.environ["TOKEN"]


class Domain(BaseModel):
    id: str
    hostname: str
    status: str | None
    ssl_status: str | None
    created_at: str | None


class Domains(BaseModel):
    data: list[Domain]


class Feature(BaseModel):
    ident: str
    feature_type: str | None


class Features(BaseModel):
    data: list[Feature]


class Details(BaseModel):
    hostname: str
    status: str | None
    ssl_status: str | None
    dns_records: list[dict[str, str]]
    check: dict[str, Any]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=VENDOR, timeout=15.0, headers={"authorization": "Bearer vendor"}) as client:
        app.state.vendor = client
        yield


app = FastAPI(lifespan=lifespan)


async def caller(authorization: Annotated[str, Header()] = "") -> str:
    if authorization != f"Bearer {TOKEN}":
        raise HTTPException(401)
    return "tenant"


def _domain(row: dict[str, Any]) -> Domain:
    return Domain(
        id=row["id"],
        hostname=row["domain"],
        status=row.get("status"),
        ssl_status=row.get("ssl_status"),
        created_at=row.get("created_at"),
    )


async def _asked(method: str, path: str, **rest: Any) -> Any:
    reply = await app.state.vendor.request(method, path, **rest)
    reply.raise_for_status()
    return reply.json()


async def _listed() -> Domains:
    return Domains(data=[_domain(row) for row in (await _asked("GET", "/domains"))["domains"]])


@cached(ttl=3600)
async def _kept() -> Domains:
    return await _listed()


@app.get("/domains")
async def list_domains(tenant: Annotated[str, Depends(caller)]) -> Domains:
    return await _listed()


@app.get("/cached/domains")
async def list_cached(tenant: Annotated[str, Depends(caller)]) -> Domains:
    return await _kept()


@app.get("/features")
async def list_features(tenant: Annotated[str, Depends(caller)]) -> Features:
    found = await _asked("POST", "/features", json={})
    return Features(data=[Feature(**row) for row in found["data"]["features"]])


@app.get("/domains/{hostname}")
async def get_domain(hostname: str, tenant: Annotated[str, Depends(caller)]) -> Details:
    found, check = await asyncio.gather(
        _asked("GET", f"/domains/{hostname}"), _asked("POST", "/domains/check", json={"domain": hostname})
    )
    row = found["domain"]
    proof = row["ownership_verification"]
    return Details(
        hostname=row["domain"],
        status=row["status"],
        ssl_status=row["ssl"]["status"],
        dns_records=[{"type": proof["type"], "name": proof["name"], "value": proof["value"]}],
        check=check,
    )
