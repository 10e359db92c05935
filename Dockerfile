# Both stages stand on the same Debian, whose Python 3.11 is what the tests run on. `make image-check`
# builds this very file on a base that it makes itself.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build

# hadolint ignore=DL3008 # Debian removes a version as soon as a security update replaces it: a pin breaks the build.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3-venv \
    && rm -rf /var/lib/apt/lists/*

# Two environments: pip and setuptools live in the first, which stays behind with this stage.
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python3 -m venv /opt/build \
    && python3 -m venv --without-pip /opt/gateway \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-build.lock \
    && /opt/build/bin/pip --python /opt/gateway/bin/python install --no-cache-dir --no-compile --no-deps \
        --require-hashes --only-binary :all: -r requirements.lock

COPY pyproject.toml README.md ./
COPY clients ./clients
COPY gateway ./gateway
COPY routes ./routes
# Compiled here, once: nothing can be written where it runs. Hashes instead of times, which layers may change.
RUN /opt/build/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /opt/build/wheels . \
    && /opt/build/bin/pip --python /opt/gateway/bin/python install --no-cache-dir --no-compile --no-index --no-deps \
        /opt/build/wheels/funnel_gateway-*.whl \
    && /opt/gateway/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/gateway/lib


FROM ${BASE}

# hadolint ignore=DL3008 # As above.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 gateway \
    && useradd --uid 65532 --gid gateway --no-log-init --no-create-home --home-dir /data gateway \
    && install --directory --owner gateway --group gateway --mode 0750 /data

COPY --from=build /opt/gateway /opt/gateway

ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532

# The only folder that is written to, and only by the embedded SQLite; all else may be read-only.
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health/ready', timeout=2)"]

# No shell between: the gateway is process 1, and takes SIGTERM itself.
STOPSIGNAL SIGTERM
ENTRYPOINT ["gateway"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]

# Last, since they change with every build.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Funnel Gateway" \
      org.opencontainers.image.description="One authenticated REST surface in front of FunnelFlux Pro Custom Domains and FunnelFox Billing." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
