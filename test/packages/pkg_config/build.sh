#!/bin/sh
# Builds ./station; with --static it needs no library at run time, not even the system's.
set -eu
linking=${1:-}

"$(pkg-config --variable=midplane_gen midplane)" station.fbs --out generated
# shellcheck disable=SC2046,SC2086
g++ -std=c++20 -O1 -fno-exceptions -fno-rtti ${linking:+-static} -I generated main.cpp generated/station_midplane.cpp \
  $(pkg-config $linking --cflags --libs midplane) -o station
