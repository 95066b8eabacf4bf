# syntax=docker/dockerfile:1
# The one image: the `pollscope` binary with the reference services inside. Build it through docker-compose.yml.

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
# The caches make the second build quick; they are not part of the image, hence the copy out of target/.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked -p pollscope-cli \
    && cp target/release/pollscope /usr/local/bin/pollscope

FROM debian:bookworm-slim
# Not root: what pollscope watches is its own process, and that needs no privileges.
RUN useradd --system --uid 10001 --no-create-home pollscope
# Not stripped: the source lines in the stall reports come from the debug information in the binary.
COPY --from=build /usr/local/bin/pollscope /usr/local/bin/pollscope
USER pollscope
EXPOSE 6667 7667 9878 7878
ENTRYPOINT ["pollscope"]
