#!/usr/bin/env bash
# Run what install.sh installed as a service, now and at every boot:   sudo ./enable.sh [FOLDER]
set -euo pipefail
service=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=steps.sh
. "$service/steps.sh"

to=${1:-/opt/edgelstm}
[ "$(id -u)" -eq 0 ] || refuse "only root can install units: sudo $0 $to"
[ -x "$to/venv/bin/edgelstm" ] || refuse "expected an installation of install.sh in $to, found none"
# Only root may change what a service runs. Before install.sh runs again: sudo chown -R "$USER" FOLDER.
chown -R root:root "$to"
for unit in edgelstm.service edgelstm.socket; do
    sed "s|/opt/edgelstm|$to|g" "$service/$unit" > "/etc/systemd/system/$unit"
done
systemctl daemon-reload
systemctl enable edgelstm.socket edgelstm.service
systemctl restart edgelstm.socket edgelstm.service
systemctl --no-pager status edgelstm.service
