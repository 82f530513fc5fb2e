# syntax=docker/dockerfile:1
# credit-monitor as an image: unprivileged, one volume (/data), one port (9750).
#
#   docker build -t credit-monitor .
#   docker run -d --name credit-monitor --read-only --tmpfs /tmp --cap-drop ALL \
#     --security-opt no-new-privileges --stop-timeout 20 -p 127.0.0.1:9750:9750 \
#     -v credit-monitor:/data -v ./config.yaml:/etc/credit-monitor/config.yaml:ro \
#     --env-file ./secrets.env credit-monitor
#
# Inside a container the default listener, 127.0.0.1:9750, is not reachable through a published port:
# the configuration says `web: {listen: "0.0.0.0:9750"}`, and what may reach it is decided by -p.
# With Prometheus, Alertmanager and Grafana: deploy/compose; in Kubernetes: deploy/kubernetes.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/credit-monitor
WORKDIR /src
# The dependencies first: they change less often than the program.
COPY requirements.txt ./
RUN /opt/credit-monitor/bin/pip install --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY monitor ./monitor
COPY share ./share
# Without pip, and with the byte code that a read-only system cannot write; -s keeps the paths short.
RUN /opt/credit-monitor/bin/pip install --no-deps . \
    && /opt/credit-monitor/bin/pip uninstall --yes --quiet pip \
    && /opt/credit-monitor/bin/python -m compileall -q /opt/credit-monitor/lib

FROM python:${PYTHON}-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="credit-monitor" \
      org.opencontainers.image.description="Watches prepaid API credit and tells people before it runs out" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A fixed number, so that a volume keeps its owner from one image to the next.
RUN groupadd --gid 9750 credit-monitor \
    && useradd --uid 9750 --gid 9750 --home-dir /data --shell /usr/sbin/nologin credit-monitor \
    && install -d -o 9750 -g 9750 -m 0700 /data
COPY --from=build /opt/credit-monitor /opt/credit-monitor
ENV PATH=/opt/credit-monitor/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STATE_DIRECTORY=/data
USER 9750:9750
WORKDIR /data
VOLUME /data
EXPOSE 9750
# Asks /healthz at `web.listen`; with `web: off`, run with --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["credit-monitor", "status", "--ping"]
# SIGTERM drains for up to 10 s, the time that `docker stop` gives: use --stop-timeout 20.
# SIGHUP (docker kill --signal HUP) reads the configuration again.
STOPSIGNAL SIGTERM
ENTRYPOINT ["credit-monitor"]
CMD ["run"]
