//go:build race

package combine

const raceDetector = true
