package lock

// Waiting is how many calls hold the lock or wait for it.
func (l *Lock) Waiting() int { return l.table.Users() }
