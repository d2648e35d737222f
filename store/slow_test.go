package store

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// slow are the explorations that take longest, some seconds or a minute each. The test command
// runs the others, JSONSTORE_SLOW=only these, JSONSTORE_SLOW=1/3 a third of these (0/3 to 2/3),
// JSONSTORE_SLOW=also all, and JSONSTORE_EXHAUSTIVE=1 those that take minutes too. One that is
// renamed falls out of the list, and runs with the others.
var slow = []string{
	"TestInterleavings/crowd:_both_leave_and_a_holder,_hash",
	"TestInterleavings/crowd:_cancel_out_beside_one,_hash",
	"TestInterleavings/crowd:_each_event,_hash",
	"TestInterleavings/crowd:_one_leaves_beside_one,_hash",
	"TestInterleavings/crowd:_three,_hash",
	"TestInterleavings/crowd:_two,_a_deleter_and_a_death,_hash",
	"TestInterleavings/ext4:_two,_a_sweep_and_a_death,_hash",
	"TestInterleavings/ext4:_two,_a_sweep_and_a_death,_mtime",
	"TestInterleavings/guard:_one,_a_sweeper_and_a_foreign_program,_locking",
	"TestInterleavings/guard:_two,_a_foreign_program_and_a_death,_mtime",
	"TestInterleavings/history:_ext4:_two,_a_sweep,_a_death,_hash",
	"TestInterleavings/history:_two,_a_sweep_and_a_death,_hash",
	"TestInterleavings/kept:_two,_a_sweep_and_a_death,_hash",
	"TestInterleavings/snapshot:_a_transaction,_hash",
	"TestInterleavings/snapshot:_a_transaction_that_creates,_bare,_hash",
	"TestInterleavings/snapshot:_a_transaction_that_creates,_hash",
	"TestInterleavings/snapshot:_a_transaction_that_deletes,_hash",
	"TestInterleavings/three,_a_deleter_and_a_death,_locking_1ns",
	"TestInterleavings/three_and_a_creator,_mtime_1ns",
	"TestInterleavings/three_and_a_deleter,_hash_1s",
	"TestInterleavings/three_and_a_deleter,_hash_and_locking",
	"TestInterleavings/three_and_a_deleter,_hash_and_mtime",
	"TestInterleavings/three_and_a_deleter,_locking_and_mtime",
	"TestInterleavings/three_and_a_deleter,_mtime_1ns",
	"TestInterleavings/trust:_two,_a_sweep_and_a_stranger,_hash",
	"TestInterleavings/trust:_two,_a_sweep_and_a_stranger,_mtime",
	"TestInterleavings/two,_a_deleter_and_a_watcher,_hash",
	"TestInterleavings/two,_a_deleter_and_a_watcher,_mtime",
	"TestInterleavings/tx:_a_stranger_plants:_one,_a_death_and_a_reader,_hash",
	"TestInterleavings/tx:_a_stranger_plants:_one,_a_death_and_a_reader,_locking",
	"TestInterleavings/tx:_ext4:_one_and_two_readers,_hash",
	"TestInterleavings/tx:_files:_one,_a_death_and_a_sweeper,_hash",
	"TestInterleavings/tx:_files:_one,_a_death_and_a_sweeper,_locking",
	"TestInterleavings/tx:_files:_one_that_creates,_one_that_deletes_and_a_death,_hash",
	"TestInterleavings/tx:_files:_one_that_creates,_one_that_deletes_and_a_death,_locking",
	"TestInterleavings/tx:_one,_a_death_and_a_sweeper,_hash",
	"TestInterleavings/tx:_one_and_a_reader,_again,_locking",
	"TestInterleavings/tx:_one_and_a_reader,_again,_the_other_way,_hash",
	"TestInterleavings/tx:_one_and_a_reader,_again,_the_other_way,_locking",
	"TestInterleavings/tx:_one_and_a_reader,_again,_the_other_way,_while_time_goes_by,_hash",
	"TestInterleavings/tx:_one_and_a_reader,_again,_while_time_goes_by,_hash",
	"TestInterleavings/tx:_one_and_a_view,_hash",
	"TestInterleavings/tx:_one_and_two_readers,_hash",
	"TestInterleavings/tx:_one_that_creates,_one_that_deletes_and_a_death,_hash",
	"TestInterleavings/tx:_one_that_creates,_one_that_deletes_and_a_death,_locking",
	"TestInterleavings/tx:_one_that_creates_and_a_view,_hash",
	"TestInterleavings/tx:_one_that_creates_and_two_readers,_hash",
	"TestInterleavings/tx:_one_that_deletes_and_a_view,_hash",
	"TestInterleavings/tx:_one_whose_context_ends_and_two_writers,_hash",
	"TestInterleavings/tx:_two,_crossing,_and_a_death,_hash",
	"TestInterleavings/tx:_two,_crossing,_and_a_death,_locking",
	"TestInterleavings/tx:_two_and_a_death,_hash",
	"TestInterleavings/tx:_two_and_a_death,_locking",
	"TestInterleavings/tx:_two_whose_contexts_end,_hash",
	"TestInterleavings/tx:_two_whose_contexts_end,_locking",
	"TestInterleavings/view:_flips:_a_listing",
	"TestInterleavings/view:_flips:_a_listing,_one_that_may_be_it",
	"TestInterleavings/view:_flips:_a_listing_of_two",
	"TestInterleavings/view:_flips:_one,_and_one_that_changes",
	"TestInterleavings/view:_flips:_the_other,_and_one_that_changes",
	"TestInterleavings/view:_flips:_three",
	"TestInterleavings/view:_flips:_three,_the_other_way",
	"TestInterleavings/view:_flips:_two",
	"TestInterleavings/view:_one,_its_death_and_a_listing,_hash",
	"TestInterleavings/view:_one,_its_death_and_a_listing,_locking",
	"TestInterleavings/view:_one,_its_death_and_a_view_that_ends,_hash",
	"TestInterleavings/view:_one,_its_death_and_a_view_that_ends,_locking",
	"TestInterleavings/view:_one_and_a_listing,_hash",
	"TestInterleavings/view:_one_and_a_listing,_the_other_way,_hash",
	"TestInterleavings/view:_one_and_a_listing,_the_other_way,_locking",
	"TestInterleavings/view:_one_and_a_view_that_ends,_the_other_way,_locking",
	"TestInterleavings/view:_one_that_creates,_its_death_and_a_listing,_hash",
	"TestInterleavings/view:_one_that_creates,_its_death_and_a_listing,_locking",
	"TestInterleavings/view:_one_that_deletes,_its_death_and_a_listing,_hash",
	"TestInterleavings/view:_one_that_deletes,_its_death_and_a_listing,_locking",
	"TestPowerCuts/one_that_sees_to_what_a_volatile_one_did_durable_hash_locking=false_guard=true_journal=false",
	"TestPowerCuts/one_that_sees_to_what_a_volatile_one_did_volatile_hash_locking=false_guard=true_journal=false",
	"TestPowerCuts/two_that_see_to_one_thing_volatile_hash_locking=false_guard=true_journal=false",
	"TestPowerCuts/two_updates_durable_hash_locking=false_guard=true_journal=false",
	"TestPowerCuts/two_updates_ordered_hash_locking=false_guard=true_journal=false",
	"TestTransactionPowerCuts/files:_one,_a_death_and_a_writer,_ordered,_journal=false",
	"TestTransactionPowerCuts/one,_a_death_and_a_writer,_durable,_journal=true",
	"TestTransactionPowerCuts/one,_a_death_and_a_writer,_ordered,_journal=false",
	"TestTransactionPowerCuts/one,_a_death_and_a_writer,_ordered,_journal=true",
	"TestTransactionPowerCuts/one_and_a_writer,_durable,_journal=true",
	"TestTransactionPowerCuts/one_and_a_writer,_ordered,_journal=true",
	"TestTransactionPowerCuts/one_in_the_portable_order,_a_death_and_a_writer,_ordered,_journal=false",
	"TestTransactionPowerCuts/one_of_three,_durable,_journal=false",
	"TestTransactionPowerCuts/one_of_three,_durable,_journal=true",
	"TestTransactionPowerCuts/one_that_is_guarded,_durable,_journal=false",
	"TestTransactionPowerCuts/one_that_is_guarded,_ordered,_journal=false",
	"TestTransactionPowerCuts/one_that_reads_what_a_volatile_one_wrote,_durable,_journal=false",
	"TestTransactionPowerCuts/one_that_replaces_what_a_volatile_one_wrote,_durable,_journal=false",
	"TestTransactionPowerCuts/one_that_replaces_what_a_volatile_one_wrote,_ordered,_journal=false",
	"TestTransactionPowerCuts/one_that_replaces_what_a_volatile_one_wrote,_ordered,_journal=true",
}

// skipLong skips an exploration that takes longer than is wanted. Large ones take minutes.
func skipLong(t *testing.T, large bool) {
	t.Helper()
	_, exhaustive := os.LookupEnv("JSONSTORE_EXHAUSTIVE")
	wanted, at := os.Getenv("JSONSTORE_SLOW"), slices.Index(slow, t.Name())
	var part, parts int
	_, err := fmt.Sscanf(wanted, "%d/%d", &part, &parts)
	switch {
	case exhaustive:
	case large:
		t.Skip("takes minutes: set JSONSTORE_EXHAUSTIVE=1")
	case wanted == "":
		if at >= 0 {
			t.Skip("takes seconds: set JSONSTORE_SLOW=only, or also")
		}
	case wanted == "also":
	case wanted == "only" || err == nil && part >= 0 && part < parts:
		if at < 0 || err == nil && at%parts != part {
			t.Skipf("JSONSTORE_SLOW=%s is set", wanted)
		}
	default:
		t.Fatalf("JSONSTORE_SLOW=%s: want only, also, or a part such as 0/3", wanted)
	}
}
