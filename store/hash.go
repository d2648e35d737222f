// Content-hash versions, the default kind.

package store

import (
	"github.com/zeebo/xxh3"

	"github.com/jsonstore/jsonstore/driver"
)

// hashVersion is the version of data by content: 128 bits of XXH3 and the length. XXH3
// is no cryptographic hash: two contents with one version do not occur by accident, but
// a user who may choose the contents can construct them. See
// https://github.com/Cyan4973/xxHash.
func hashVersion(data []byte) driver.Version {
	sum := xxh3.Hash128(data)
	return driver.HashVersion(sum.Hi, sum.Lo, int64(len(data)))
}
