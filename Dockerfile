# The image of grove-operator, and of grove-initc, which it puts into pods. Two ways lead to it:
#   docker build .                 compiles in the image of GO_IMAGE
#   docker build --target host .   takes the binaries that `make image` has built on this machine, and pulls nothing
# BASE is what they are put on: nothing, or an image such as distroless static, nonroot.
ARG BASE=scratch
ARG GO_IMAGE=golang:1.26

FROM ${BASE} AS host
COPY bin/image/ /
USER 65532:65532
ENTRYPOINT ["/grove-operator"]

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY apis apis
COPY cmd cmd
COPY controllers controllers
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/ ./cmd/grove-operator ./cmd/grove-initc

FROM ${BASE}
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/grove-operator"]
