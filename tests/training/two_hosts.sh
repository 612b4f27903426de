# Two computers of one torchrun, as far as a network can tell: each has its own interface, address
# and loopback. Runs inside `unshare --user --map-root-user --net`, so that everything is gone
# afterwards. Arguments: torchrun, then the script and its arguments.
set -e
launcher=$1
shift
ip link set lo up
unshare --net sleep 600 &
peer=$!
while [ "$(readlink /proc/$peer/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
ip link add host0 type veth peer name host1 netns "$peer"
ip address add 10.77.0.1/24 dev host0
ip link set host0 up
nsenter --target "$peer" --net ip link set lo up
nsenter --target "$peer" --net ip address add 10.77.0.2/24 dev host1
nsenter --target "$peer" --net ip link set host1 up
join="--nnodes 2 --master_addr 10.77.0.1 --master_port 29500"
GLOO_SOCKET_IFNAME=host1 nsenter --target "$peer" --net "$launcher" $join --node_rank 1 "$@" &
second=$!
code=0
GLOO_SOCKET_IFNAME=host0 "$launcher" $join --node_rank 0 "$@" || code=$?
wait "$second" || code=$?
kill "$peer"
exit "$code"
