"""When a worker does what about its leases; all in seconds, each by one clock of its own. Pure.

A holder stops believing in its lease before a peer may think it dead: HELD_FOR < EXPIRED_AFTER, with room for clocks
that run 10 % apart. A killed worker's shards flow again after EXPIRED_AFTER + LOOK_EVERY, at the latest.
"""

RENEW_EVERY = 3.0  # a lease with nothing to save is written, to show that its holder lives
CHECKPOINT_EVERY = 1.0  # while records come; whoever takes over repeats what was published since
HELD_FOR = 7.0  # after the last write that was taken was begun
EXPIRED_AFTER = 8.5  # that a peer sees the counter stand still
LOOK_EVERY = 0.4  # between two looks at the leases: what was handed back flows again within
LIST_EVERY = 30.0  # between two listings of the whole stream; children are asked for when a parent is done
LIST_AGAIN = 2.0  # while a listing leaves out what is there
KEEP_TICK = 0.25  # between two looks at whether a lease is due to be written
LET_GO_WITHIN = 0.3  # for the pages under way when asked to stop
RELEASE_WITHIN = 0.6  # to hand the leases back then
