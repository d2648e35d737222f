package memdriver_test

import (
	"testing"

	"github.com/jsonstore/jsonstore/driver"
	"github.com/jsonstore/jsonstore/driver/drivertest"
	"github.com/jsonstore/jsonstore/driver/memdriver"
)

func TestConformance(t *testing.T) {
	drivertest.Run(t, func(*testing.T) driver.Driver { return memdriver.New() })
}
