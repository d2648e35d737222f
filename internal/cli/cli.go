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
	// A reader of our output that goes away is an error of writing, not the process's sudden
	// death: the document may be changed by then, and somebody has to say so.
	signal.Ignore(syscall.SIGPIPE)
	if len(args) > 0 && isWorker(args[0]) {
		// Who signals all processes, as a service manager does, signals the one that started this
		// one too. It is left to that one to end it, or it might be told of its death first.
		signal.Ignore(ending...)
		return run(context.Background(), args, stdin, stdout, stderr)
	}
	ctx, stop := untilSignal(context.Background())
	defer stop()
	return run(ctx, args, stdin, stdout, stderr)
}

// app is one run of the command.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          commonFlags
	cause          func() error // what has ended the run, nil if nothing has
	code           int          // the exit code so far
	unheard        bool         // a result could not be written: more of them make no sense
	exitChanged    bool         // --exit-changed
	changed        bool         // a document was changed, or would be
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	a.cause = func() error { return context.Cause(ctx) }
	root := a.root()
	root.SetArgs(shieldArgs(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		// A mistake in a flag ends their parsing, perhaps before --json.
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
		Short: "Read and change small JSON files that others change too, without losing an update",
		Long: `Read and change small JSON files that others change too, without losing an update.

Each change is made by compare-and-swap through an atomic rename: nobody sees half of it, nobody's
change is overwritten unseen, and what the file says elsewhere stays as it is, to the byte.`,
		Example: `  jsonstore update counter.json --expr '.count += 1'
  jsonstore get counter.json count`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("say what to do: jsonstore VERB FILE …; see jsonstore help")
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%v; see jsonstore help %s", err, cmd.Name())
	})
	a.flags.register(root.PersistentFlags())
	root.AddCommand(
		a.getCommand(), a.versionCommand(), a.statCommand(), a.lockFileCommand(), a.checkCommand(),
		a.setCommand(), a.incrCommand(), a.appendCommand(), a.deleteCommand(),
		a.createCommand(), a.casCommand(), a.updateCommand(), a.patchCommand(),
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
			cmd.Short = "Print a script by which a shell completes verbs and flags"
			cmd.Long = cmd.Short + ":\nbash, zsh, fish or powershell. Each says by --help how " +
				"it is loaded."
			cmd.Example = "  source <(jsonstore completion bash)"
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(*cobra.Command, []string) error {
				return usage("say for which shell: jsonstore completion bash, zsh, fish " +
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

// helpCommand is cobra's own but that it refuses a verb that there is not.
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:                   "help [VERB]",
		Short:                 "Tell what a verb does, with examples and flags",
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

// usageArgs gives the complaint about a wrong number of arguments its exit code.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage("%v: jsonstore %s; see jsonstore help %s", err, cmd.Use, cmd.Name())
		}
		return nil
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// help prints without the templates of cobra: these cost a third of the program's size.
func (a *app) help(cmd *cobra.Command, _ []string) {
	var b strings.Builder
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(&b, "%s\n\nUsage:\n", text)
	if cmd.HasParent() {
		fmt.Fprintf(&b, "  jsonstore %s [flags]\n", cmd.Use)
	} else {
		fmt.Fprintf(&b, "  jsonstore VERB FILE … [flags]\n\nVerbs:\n")
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

// shield stands before an argument that begins with a minus and is no flag: a negative
// number. No argument of a process can contain it.
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

// errUsage is a mistake in how the command was called.
type errUsage struct{ error }

func usage(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	// Quoted or not, the shield is not the user's.
	return errUsage{errors.New(strings.NewReplacer(shield, "", `\x00`, "").Replace(message))}
}
