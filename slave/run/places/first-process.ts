// The first process of a pid namespace. It reads from us and ends when it cannot, so whatever is in the
// namespace is gone as soon as we are, however we ended.
//
// There are two. The better one starts steps itself, by a fork of its own, which is small where ours is large: a start
// takes a quarter of the time that `nsenter` and `setsid` take. It is Perl, because a shell cannot tell an exit with 137 from
// a SIGKILL. Where there is no Perl, a shell keeps the namespace open and steps enter it.

/**
 * Says `ready`, and for each line it reads whether it was alone. Children it inherits are none of its business: with CHLD
 * ignored the kernel reaps them. To kill -1 is to kill all in the namespace but itself, at one instant.
 */
export const KEEPER = [
  'sh',
  '-c',
  `
trap '' CHLD
echo ready
while read -r _; do if kill -KILL -1 2>/dev/null; then echo used; else echo alone; fi; done`,
]

/**
 * As above, for the line \`alone\`; and it takes
 *
 * - \`pipes\` and two paths of named pipes, for the output of steps: says \`pipes\`;
 * - \`run\` and a number of bytes, then that many: fields that end with NUL, the directory, the number of words of the
 *   command, these words, and entries of the environment. Says \`started\`, and \`ended\` with a status as wait(2) has it;
 *   or \`failed\` and an error number;
 * - \`signal\` and a number: sends it to the group of the step.
 *
 * Its argument is the umask of steps. Each path is the rest of a line. The process of the next step is forked ahead and waits
 * to be told what to become: a start is an exec, and \`ps\` shows a step to be as old as the end of the one before. It leads a
 * session, and each step a group in that. Nothing is shared with a step but its output: Perl marks what it opens
 * close-on-exec. Perl's own POSIX, with the numbers of Linux that stand here instead, takes twice as long to load as Perl
 * itself.
 */
export const STARTER = [
  'setsid',
  'perl',
  '-e',
  String.raw`
use Fcntl;
my ($WNOHANG, $EINTR) = (1, 4);
umask oct shift;
$| = 1;
pipe my $woken, my $wake or die;
$SIG{CHLD} = sub { syswrite $wake, '.' };
my ($step, $parked, $buffer, $order, $told, @pipes) = (0, 0, '');
sub say_line { print "@_\n" }
sub more {
    my $got = sysread STDIN, $buffer, 65536, length $buffer;
    exit unless $got or !defined $got && $! == $EINTR;
}
sub line { more while index($buffer, "\n") < 0; $buffer =~ s/^(.*?)\n//s; $1 }
sub reap {
    while ((my $pid = waitpid -1, $WNOHANG) > 0) {
        $parked = 0 if $pid == $parked;
        next if $pid != $step;
        say_line 'ended', $?;
        $step = 0;
    }
}
sub park {
    pipe my $request, $order or return;
    pipe $told, my $tell or return;
    my $pid = fork;
    return unless defined $pid;
    return $parked = $pid if $pid;
    close $order;
    setpgrp;
    # Forked by a start, it has what that ignores.
    $SIG{PIPE} = 'DEFAULT';
    open STDIN, '<', '/dev/null';
    my $refuse = sub {
        syswrite $tell, $! + 0;
        exit 127;
    };
    my $got = '';
    1 while sysread $request, $got, 8192, length $got;
    syswrite $tell, '.';
    my ($directory, $count, @words) = split /\0/, $got, -1;
    pop @words;
    my @command = splice @words, 0, $count;
    for my $at (0, 1) {
        sysopen my $output, '/proc/self/fd/' . fileno($pipes[$at]), O_WRONLY or $refuse->();
        open $at ? *STDERR : *STDOUT, '>&', $output or $refuse->();
    }
    %ENV = map { split /=/, $_, 2 } @words;
    chdir $directory and exec { $command[0] } @command;
    $refuse->();
}
sub unpark {
    return unless $parked;
    kill 'KILL', $parked;
    waitpid $parked, 0;
    $parked = 0;
}
sub hear {
    my $heard;
    1 until defined sysread $told, $heard, 16 or $! != $EINTR;
    $heard // '';
}
sub start {
    my $heard;
    local $SIG{PIPE} = 'IGNORE';
    until ($step) {
        $parked or park or return say_line 'failed', $! + 0;
        ($step, $parked) = ($parked, 0);
        for (my $at = 0; $at < length $_[0];) {
            my $put = syswrite $order, $_[0], 65536, $at;
            last unless defined $put or $! == $EINTR;
            $at += $put // 0;
        }
        close $order;
        $heard = hear;
        # It was killed before it was told all: nothing was run.
        next if $heard ne '';
        waitpid $step, 0;
        $step = 0;
    }
    my $failed = substr($heard, 1) || hear;
    if ($failed ne '') {
        waitpid $step, 0;
        $step = 0;
        return say_line 'failed', $failed;
    }
    say_line 'started';
}
say_line 'ready';
while (1) {
    reap;
    if ($buffer !~ /\n/) {
        my $ready = '';
        vec($ready, fileno $_, 1) = 1 for *STDIN, $woken;
        # Perl defers a handler: a signal right before select does not end that, so it looks again while a step runs.
        select($ready, undef, undef, $step ? 0.2 : undef) > 0 or next;
        sysread $woken, my $dots, 4096 if vec $ready, fileno $woken, 1;
        more if vec $ready, fileno STDIN, 1;
        next;
    }
    my ($verb, $rest) = split / /, line, 2;
    if ($verb eq 'alone') {
        unpark;
        my $used = kill 'KILL', -1;
        say_line $used ? 'used' : 'alone';
        park if @pipes and !$used;
    } elsif ($verb eq 'pipes') {
        @pipes = map { sysopen my $pipe, $_, O_RDONLY | O_NONBLOCK or die; $pipe } $rest, line;
        say_line 'pipes';
        park;
    } elsif ($verb eq 'run') {
        more while length $buffer < $rest;
        start substr $buffer, 0, $rest, '';
    } elsif ($verb eq 'signal') {
        kill $rest, -$step or kill $rest, $step if $step;
    }
}`,
]
