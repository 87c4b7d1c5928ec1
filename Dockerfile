# syntax=docker/dockerfile:1
#
#   docker build -t conserver .
#   docker run -e REDIS_URL=redis://host -v ./chains.yaml:/etc/conserver/chains.yaml:ro conserver
#
# Every step is one call of deploy/docker/steps, which the checks of this project run too. Dependencies are a layer
# of their own: they are built again only when a manifest or the lock file changes.

FROM rust:1.95-slim-bookworm AS tools
WORKDIR /src
COPY deploy/docker/steps /usr/local/bin/steps
RUN steps tools

FROM tools AS plan
COPY . .
RUN steps plan /plan.json

FROM tools AS build
COPY --from=plan /plan.json /plan.json
COPY rust-toolchain.toml ./
RUN steps dependencies /plan.json
COPY . .
RUN steps build /out

FROM debian:bookworm-slim
COPY deploy/docker/steps /usr/local/bin/steps
RUN steps runtime
COPY --from=build /out/ /usr/local/bin/
COPY deploy/docker/health /usr/local/bin/health
USER conserver
WORKDIR /data
VOLUME /data
ENV CONSERVER_CONFIG_FILE=/etc/conserver/chains.yaml \
    CONSERVER_DATA_DIR=/data \
    CONSERVER_LISTEN=0.0.0.0:8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["health"]
# Process 1 is the supervisor: it passes signals on and collects its children. Give it the time of a drain to stop:
# docker stop -t 45
ENTRYPOINT ["conserver"]
CMD ["run"]
