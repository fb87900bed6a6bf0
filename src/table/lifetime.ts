/**
 * Milliseconds. The dead-man switch: a table that nobody renews for so long is in force no more, so that a control plane that stands
 * still stops answering for its node. What other nodes take from one that hangs they take later than that.
 */
export const TABLE_LIFETIME_MS = 5_000;
