#!/usr/bin/env bash
# Ends the cluster that up.sh has started, and leaves the machine as it was.
# Usage: k8s/bare/down.sh
set -uo pipefail
cd "$(dirname "$0")"
. ./cluster.sh

if [ -s "$RUN/init.pid" ]; then
  init=$(cat "$RUN/init.pid")
  # Its end ends every process of its namespace, pods too. Another process may have its number by now.
  if tr '\0' ' ' <"/proc/$init/cmdline" 2>/dev/null | grep --quiet 'k8s/bare/node.sh'; then
    kill -9 "$init"
    while kill -0 "$init" 2>/dev/null; do sleep 0.1; done
  fi
fi
[ -s "$RUN/sysctl.saved" ] && sysctl -q -p "$RUN/sysctl.saved"
ip route del "$SERVICES" 2>/dev/null
ip route del "$PODS" 2>/dev/null
ip link del tradewind0 2>/dev/null
ip netns del "$NETWORK" 2>/dev/null
for group in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/*/k8s.io /sys/fs/cgroup/kubepods /sys/fs/cgroup/k8s.io; do
  [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
done
rmdir /var/lib/cni /var/lib/kubelet 2>/dev/null
rm -rf "$RUN"
echo "down"
