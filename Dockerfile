# syntax=docker/dockerfile:1
# The server for production: one static-ish binary beside libpq, run by a user without rights.
# Embedded mode is not meant for containers: DATABASE_URL, S3_BUCKET and the keys must be given.

FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libpq-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY migrations migrations
COPY openapi openapi
COPY docs docs
COPY examples/files examples/files
# The caches keep dependencies between builds; what is needed afterwards must be copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin beian \
    && cp target/release/beian /usr/local/bin/beian

FROM debian:bookworm-slim
# curl is for the health check only.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl libpq5 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin beian
COPY --from=build /usr/local/bin/beian /usr/local/bin/beian
COPY LICENSE /usr/share/doc/beian/LICENSE
USER 10001:10001
ENV LISTEN_ADDR=0.0.0.0:8080 METRICS_ADDR=0.0.0.0:9464 LOG_FORMAT=json
EXPOSE 8080 9464
# Its own SIGTERM handler finishes requests in flight (SHUTDOWN_TIMEOUT_SECONDS).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=6 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/livez"]
ENTRYPOINT ["beian"]
CMD ["serve"]
