// Sampling of orders, for more processes than can be explored exhaustively. It is
// probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte: A
// Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010):
// each process has a random priority, the runnable one with the highest priority runs,
// and at a few random moments its priority falls below all others. An error that needs
// d-1 such moments is found in at least one of n * k^(d-1) runs of n processes and k
// operations; random choices at each operation may miss it in millions.

package simfs

import (
	"math/rand/v2"
)

// Sampler runs random orders.
type Sampler struct {
	Runs    int
	Seed    uint64 // of the first run; it grows by one each run
	Changes int    // moments at which priorities change
	Deaths  int    // maximum number of processes that die
	Setup   Setup

	Longest int // operations of the longest run
}

// Run returns the first violation that it finds, a *Violation, and the seed of that run.
func (s *Sampler) Run() (uint64, error) {
	s.Longest = max(s.Longest, 10)
	for i := range s.Runs {
		seed := s.Seed + uint64(i)
		if err := s.run(rand.New(rand.NewPCG(seed, 0))); err != nil {
			return seed, err
		}
	}
	return 0, nil
}

func (s *Sampler) run(random *rand.Rand) error {
	x := start(s.Setup)
	defer x.end()
	changes, deaths := map[int]bool{}, map[int]bool{}
	for range s.Changes {
		changes[random.IntN(s.Longest)] = true
	}
	for range s.Deaths {
		deaths[random.IntN(2*s.Longest)] = true
	}
	for step, lowest := 0, -1.0; ; step, lowest = step+1, lowest-1 {
		choices := x.choices(false)
		if len(choices) == 0 {
			s.Longest = max(s.Longest, step)
			return x.ended()
		}
		first := func() (best *thread, l letter) {
			for _, other := range choices {
				t, _, _, _ := x.world.choice(other)
				if t.rank == 0 {
					t.rank = 1 + random.Float64()
				}
				// If a thread has several choices, pick one at random.
				if best == nil || t.rank > best.rank || t == best && random.IntN(2) == 0 {
					best, l = t, other
				}
			}
			return best, l
		}
		if changes[step] {
			t, _ := first()
			t.rank = lowest
		}
		t, l := first()
		if deaths[step] {
			l = t.process.letter.death()
		}
		if err := x.do(l); err != nil {
			return err
		}
	}
}
