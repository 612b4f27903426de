# The toolkit for restoring, training and testing on a CPU:
#   docker build -t semanir .
#   docker run --rm -v "$PWD:/data" semanir restore photo.jpg -o restored/ --task denoise
FROM python:3.12-slim

WORKDIR /opt/semanir
COPY . .

# BasicSR is built here; its build needs no compiler. The caches of pip would double the image.
ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_CONSTRAINT=/opt/semanir/constraints.txt
# constraints.txt pins the versions
# hadolint ignore=DL3013
RUN python -m pip install '.[train,serve,metrics]' \
    && python -m semanir_arch.doctor --repair

WORKDIR /data
ENTRYPOINT ["python", "-m", "semanir_arch"]
CMD ["--help"]
