# A static binary on an empty image: nothing else to update, nothing to log in to.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/avapd/avapd/internal/cli.Version=${VERSION}" -o /avap ./cmd/avap && mkdir /data

FROM scratch
COPY --from=build /avap /avap
# The empty image has no directory that its user could write to, or make one in.
COPY --from=build --chown=65532:65532 /data /var/lib/avap
VOLUME /var/lib/avap
USER 65532:65532
EXPOSE 8888
# Other machines can reach this address, so the server asks for a token:
#   docker run -p 8888:8888 -v avap-data:/var/lib/avap -v "$PWD/token:/run/avap/token:ro" avap
ENV AVAP_LISTEN=:8888 AVAP_ADMIN_TOKEN_FILE=/run/avap/token AVAP_DATA_DIR=/var/lib/avap
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/avap", "ready"]
ENTRYPOINT ["/avap"]
CMD ["serve"]
