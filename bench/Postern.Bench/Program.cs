using Postern.Bench;

// What is measured: `make bench`, or one of them: bash bench/run.sh
// history|append|append-postgres|streams|start|callbacks|callbacks-postgres|deliveries|inbound|inbound-postgres|
// approvals|approvals-postgres|waiters|flood|idle-postgres|upgrade|costs|partitions|relay|relay-postgres|
// console|console-memory
// The other words are the children that a measurement starts: the server with its batches counted, and a bare endpoint.
return args switch
{
    ["serve", .. var rest] => await Children.ServeAsync(rest),
    ["bare", var file] => await Children.BareAsync(file),
    _ => await Measurements.RunAsync(args),
};
