# A Linux machine beside a receiver: any with glibc, a disk and a network. What the program is made of there.
set(BOARD_APP_SOURCES main_linux.c config_linux.c config_vault_linux.c identity_file_linux.c key_files_linux.c key_pair.c key_store.c
    provisioner.c spool_file_linux.c status_linux.c trust_linux.c trust_store.c renew_linux.c transport_store.c transport_file_linux.c keep_linux.c taps_linux.c taps_modbus_linux.c
    taps_modbus_records_linux.c config_modbus_linux.c plant_map_linux.c)
set(BOARD_LIBRARIES hr_image fw_port_linux fw_port_linux_host fw_port_linux_resolve fw_port_linux_source fw_tap_ais fw_tap_station fw_net fw_crypto
    hr_config m)
# Polling of market operators takes libcurl and zstd, which cross compilers for ARM do not have.
option(HEADRACE_TAP_HTTP "Build the collector's HTTP tap (needs libcurl and zstd)" ${HEADRACE_AGGREGATOR})
if(HEADRACE_TAP_HTTP)
  list(APPEND BOARD_APP_SOURCES taps_http_linux.c backfill_linux.c backfill_command_linux.c backfills_linux.c)
  list(APPEND BOARD_LIBRARIES fw_tap_http hr_feeds_file fw_port_linux_zone)
else()
  list(APPEND BOARD_APP_SOURCES taps_http_none.c)
endif()
# Of firmware/net: aggregators, the longest host name, requests under way, and the longest envelope
# (WIRE_GATEWAY_ENVELOPE_MAX_BYTES).
set(BOARD_NET_MAX_ADDRESSES 8)
set(BOARD_NET_HOST_MAX_CHARS 253)
set(BOARD_NET_MAX_WINDOW 4)
set(BOARD_NET_BODY_MAX_BYTES 15360)
# Trust bundles are followed.
set(BOARD_FOLLOWS_TRUST ON)
# Of firmware/taps/ais: messages of several sentences that may be open at once, and the longest line.
set(BOARD_TAP_AIS_ASSEMBLIES 16)
set(BOARD_TAP_AIS_LINE_MAX_BYTES 1024)
