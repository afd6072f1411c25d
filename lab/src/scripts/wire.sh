# Hooks of host.sh for guests with a network card and a console that mixvm emulates: the other end of wire and line.

# One side of a conversation over TCP each; the numbers are data whose sum both sides can reckon.
numbers() { seq 1 100000; }

wire() {
    ip addr add 10.9.0.1/24 dev tap0
    ip link set tap0 up
    rm -f /run/quiet
    mkfifo /run/quiet
    # Not children of this shell, which waits for its own.
    (numbers | timeout 300 nc -l -p 5000 >/dev/null 2>&1 &)
    (answer_on_the_line &)
    mark wired "$name"
}

# The sum of what the guest sends over the network is typed into its console, once it has written to that.
answer_on_the_line() {
    sum=$(timeout 300 nc -l -p 5001 <>/run/quiet | sha256sum | cut -d' ' -f1)
    until_true 120 grep -q "what came" /run/hvc0 && echo "$sum" >/run/typed
}

# wire_as_asked: once a guest.
wire_as_asked() {
    [ -z "$was_wired" ] && grep -q '^LAB wire-me' /run/console || return 0
    was_wired=1
    wire
}
