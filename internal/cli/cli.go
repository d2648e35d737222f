// Package cli is the jsonstore command: one function, Main, which the program and its tests
// call. Each file has one group of verbs; output.go has the rules of what is printed where.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs the command with the arguments after its name, and returns its exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// A closed pipe on standard output becomes a write error instead of killing the
	// process: the document may have changed already, and the command must report that.
	signal.Ignore(syscall.SIGPIPE)
	if len(args) > 0 && isWorker(args[0]) {
		// A service manager signals all processes of a service, the parent of this one
		// too. The parent ends its workers; a worker that died first would be reported
		// as a failure.
		signal.Ignore(ending...)
		return run(context.Background(), args, stdin, stdout, stderr)
	}
	ctx, _ := untilSignal(context.Background()) // until the process ends, which is soon
	return run(ctx, args, stdin, stdout, stderr)
}

// app is one run of the command.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          commonFlags
	cause          func() error // what ended the run, nil while it goes on
	code           int          // the exit code so far
	unheard        bool         // a result could not be written, so no further file is processed
	exitChanged    bool         // --exit-changed
	changed        bool         // a document was changed, or would be
	runs           bool         // the verb runs a program, whose exit code is the command's
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	a.cause = func() error { return context.Cause(ctx) }
	root := a.root()
	root.SetArgs(shieldArgs(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if cmd, _, err := root.Find(args); err == nil {
		_, a.runs = cmd.Annotations[runsProgram]
	}
	if err := root.ExecuteContext(ctx); err != nil {
		// A bad flag ends the parsing of flags, perhaps before --json.
		a.flags.json = a.flags.json || slices.Contains(args, "--json")
		a.fail("", err)
	}
	if a.code == exitDone && a.exitChanged && a.changed {
		a.code = exitChanged
	}
	return a.code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "jsonstore",
		Short: "Read and change small JSON files shared with other writers, without lost updates",
		Long: `Read and change small JSON files shared with other writers, without lost updates.

Each change is a compare-and-swap published by an atomic rename: readers never see half of it,
it never overwrites a change that it has not read, and the rest of the file stays as it is,
to the byte.`,
		Example: `  jsonstore update counter.json --expr '.count += 1'
  jsonstore get counter.json count`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("a verb is missing: jsonstore VERB FILE …; see jsonstore help")
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%v; see jsonstore help %s", err, verbOf(cmd))
	})
	a.flags.register(root.PersistentFlags())
	root.AddCommand(
		a.getCommand(), a.versionCommand(), a.statCommand(), a.lockFileCommand(), a.checkCommand(),
		a.recoverCommand(),
		a.historyCommand(), a.logCommand(), a.showCommand(), a.diffCommand(), a.undoCommand(),
		a.revertCommand(),
		a.setCommand(), a.incrCommand(), a.appendCommand(), a.deleteCommand(),
		a.createCommand(), a.casCommand(), a.updateCommand(), a.patchCommand(),
		a.editCommand(), a.mergeCommand(),
		a.txnCommand(),
		a.snapshotCommand(),
		a.watchCommand(),
		a.lockCommand(), a.leaseCommand(),
		a.journalCommand(),
		a.doctorCommand(), a.verifyCommand(), a.benchCommand(),
	)
	root.AddCommand(a.workerCommands()...)
	for _, cmd := range root.Commands() {
		cmd.Args = usageArgs(cmd.Args)
		cmd.DisableFlagsInUseLine = true
	}
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownVerb(root, args[0])
	}
	root.SetHelpCommand(a.helpCommand(root))
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Short = "Print a shell script that completes verbs and flags"
			cmd.Long = cmd.Short + ":\nbash, zsh, fish or powershell. The --help of each " +
				"says how to load it."
			cmd.Example = "  source <(jsonstore completion bash)"
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(*cobra.Command, []string) error {
				return usage("name the shell: jsonstore completion bash, zsh, fish " +
					"or powershell")
			}
		}
	}
	root.SetHelpFunc(a.help)
	root.SetUsageFunc(func(cmd *cobra.Command) error { a.help(cmd, nil); return nil })
	return root
}

func unknownVerb(root *cobra.Command, verb string) error {
	if near := root.SuggestionsFor(verb); len(near) > 0 {
		return usage("unknown verb %q; did you mean %s?", verb, strings.Join(near, " or "))
	}
	return usage("unknown verb %q; see jsonstore help", verb)
}

// helpCommand is cobra's help command, except that it refuses an unknown verb.
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:                   "help [VERB]",
		Short:                 "Describe a verb, with examples and flags",
		Example:               "  jsonstore help update",
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil {
				return usage("%v", err)
			}
			if len(rest) > 0 {
				return unknownVerb(root, rest[0])
			}
			return cmd.Help()
		},
	}
}

// usageArgs makes a wrong number of arguments a usage error, with its exit code.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			var said errUsage
			if errors.As(err, &said) {
				return err
			}
			return usage("%v: %s; see jsonstore help %s", err, cmd.UseLine(), verbOf(cmd))
		}
		return nil
	}
}

// verbOf is the verb of a command, with that of its group, as in "lease run".
func verbOf(cmd *cobra.Command) string {
	_, verb, _ := strings.Cut(cmd.CommandPath(), " ")
	return verb
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// help prints the help without cobra's templates, which are a third of the program's
// size.
func (a *app) help(cmd *cobra.Command, _ []string) {
	var b strings.Builder
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(&b, "%s\n\nUsage:\n", text)
	if cmd.HasParent() {
		fmt.Fprintf(&b, "  %s [flags]\n", cmd.UseLine())
	} else {
		b.WriteString("  jsonstore VERB FILE … [flags]\n")
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nVerbs:\n")
		for _, verb := range cmd.Commands() {
			if verb.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-11s %s\n", verb.Name(), verb.Short)
			}
		}
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if own := cmd.LocalNonPersistentFlags().FlagUsages(); own != "" {
		fmt.Fprintf(&b, "\nFlags:\n%s", own)
	}
	if common := cmd.Root().PersistentFlags().FlagUsages(); cmd.Name() != "completion" {
		fmt.Fprintf(&b, "\nFlags everywhere:\n%s", common)
	}
	fmt.Fprint(&b, exitCodesHelp)
	if _, err := io.WriteString(a.stdout, b.String()); err != nil {
		a.fail("", &outputError{err: err})
	}
}

// shield is put before an argument that begins with a minus but is a negative number,
// not a flag. A process's arguments cannot contain this byte.
const shield = "\x00"

// shieldArgs shields the arguments that flag parsers misread: negative numbers are values,
// and --arg and --argjson take two values, as in jq.
func shieldArgs(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return append(out, args[i:]...)
		case (arg == "--arg" || arg == "--argjson") && i+2 < len(args):
			out = append(out, arg+"="+args[i+1]+shield+args[i+2])
			i += 2
		case len(arg) > 1 && arg[0] == '-' && (arg[1] >= '0' && arg[1] <= '9' || arg[1] == '.'):
			out = append(out, shield+arg)
		default:
			out = append(out, arg)
		}
	}
	return out
}

func unshield(arg string) string { return strings.TrimPrefix(arg, shield) }

// errUsage is an error in the command line.
type errUsage struct{ error }

func usage(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	// The user did not type the shield: remove it, quoted or not.
	return errUsage{errors.New(strings.NewReplacer(shield, "", `\x00`, "").Replace(message))}
}
