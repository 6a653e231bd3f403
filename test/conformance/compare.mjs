// Compares what the runtimes gave. Nothing of the library's own is an expected value: hashes are held against torch and
// diffusers where those were recorded, against another case of the same runtime where a case says that it `equals` one,
// and against the first runtime of the list.

/** Names of the hashes that differ between two sets, one missing in either included. */
function differing(actual, wanted) {
  return [...new Set([...Object.keys(wanted), ...Object.keys(actual)])].filter((key) => actual[key] !== wanted[key]);
}

/**
 * @param runs `{ name, asked, results, failure }` of each runtime, the one to compare with first: the cases it was asked
 *   for (as cases.json has them), what it reported, and why it ended early, if it did.
 * @param expected what record.py recorded.
 * @returns for each runtime and group, how many cases passed and failed, how many hashes were compared with something, how
 *   many of those are equal, and how many were compared with nothing. A case of these neither passes nor fails, unless it
 *   has no result.
 */
export function compare(runs, expected) {
  const find = ({ results }, name, group) => results.find((r) => r.name === name && (!group || r.group === group));
  const [reference] = runs;
  return runs.map((run) => {
    const groups = {};
    const differences = [];
    if (run.failure) differences.push(`${run.name}: ${run.failure}`);
    for (const [group, cases] of Object.entries(run.asked)) {
      const count = { passed: 0, failed: 0, hashes: 0, equal: 0, uncompared: 0 };
      groups[group] = count;
      for (const { name, equals } of cases) {
        const result = find(run, name, group);
        const problem = !result ? 'was not reported' : result.error;
        const hashes = result?.hashes ?? {};
        const others = [
          [expected.recordedWith, expected[group]?.[name]],
          equals && [`"${equals}"`, find(run, equals)?.hashes ?? {}],
          run !== reference && [reference.name, find(reference, name, group)?.hashes ?? {}],
        ].filter((other) => other?.[1]);
        const wrong = new Map();
        for (const [other, wanted] of others) {
          for (const key of differing(hashes, wanted)) {
            if (!wrong.has(key)) wrong.set(key, `${other} gives ${wanted[key]}, it gives ${hashes[key]}`);
          }
        }
        const all = Object.keys(hashes).length;
        if (others.length === 0) count.uncompared += all;
        else {
          count.hashes += all;
          count.equal += all - [...wrong.keys()].filter((key) => key in hashes).length;
        }
        // A case without a hash proves nothing.
        const empty = all === 0 ? 'gave no hash' : undefined;
        const reason = problem ?? empty;
        if (reason) differences.push(`${run.name}: ${group}: "${name}" ${reason}`);
        else if (wrong.size > 0) {
          const [[key, what]] = wrong;
          differences.push(`${run.name}: ${group}: "${name}": ${wrong.size} of ${all} differ, first "${key}": ${what}`);
        }
        if (reason || wrong.size > 0) count.failed++;
        else if (others.length > 0) count.passed++;
      }
    }
    return { name: run.name, groups, differences };
  });
}
