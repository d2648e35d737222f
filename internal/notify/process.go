// The hub of the process.

package notify

// Process is the hub that the whole process shares: the limit of instances is one of the
// user's processes. It has no instance while nobody listens.
var Process Hub
