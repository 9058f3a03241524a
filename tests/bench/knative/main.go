// Program knative asks Knative's own autoscaler how many instances there should be, in a time that is told.
//
// It reads lines and answers those that ask:
//
//	r SECONDS CONCURRENCY   a second's average concurrency, as Knative's collector records it
//	s SECONDS READY         what its autoscaler wants now, with so many ready: a count, or - for no valid answer
//
// Arguments: target and total concurrency of an instance. All else is at Knative's defaults (config-autoscaler).
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/types"

	"knative.dev/serving/pkg/autoscaler/aggregation"
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"
)

const (
	stableWindow = 60 * time.Second
	panicWindow  = 6 * time.Second
	granularity  = time.Second
)

// load is what the collector has: the same buckets, filled and read in the same way.
type load struct {
	stable, panicking *aggregation.TimedFloat64Buckets
}

func (l load) StableAndPanicConcurrency(_ types.NamespacedName, now time.Time) (float64, float64, error) {
	if l.stable.IsEmpty(now) && l.panicking.IsEmpty(now) {
		return 0, 0, metrics.ErrNoData
	}
	return l.stable.WindowAverage(now), l.panicking.WindowAverage(now), nil
}

func (l load) StableAndPanicRPS(types.NamespacedName, time.Time) (float64, float64, error) {
	return 0, 0, metrics.ErrNoData
}

// pods are those that are ready.
type pods struct{ ready int }

func (p *pods) ReadyCount() (int, error)    { return p.ready, nil }
func (p *pods) NotReadyCount() (int, error) { return 0, nil }

func main() {
	target, total := number(os.Args[1]), number(os.Args[2])
	told := load{
		aggregation.NewTimedFloat64Buckets(stableWindow, granularity),
		aggregation.NewTimedFloat64Buckets(panicWindow, granularity),
	}
	running := &pods{}
	decider := scaling.New(
		*attribute.EmptySet(), noop.NewMeterProvider(), "bench", "bench", told, running, &scaling.DeciderSpec{
			MaxScaleUpRate: 1000, MaxScaleDownRate: 2, ScalingMetric: "concurrency",
			TargetValue: target, TotalValue: total, TargetBurstCapacity: 211, ActivatorCapacity: 100,
			PanicThreshold: 2, StableWindow: stableWindow, InitialScale: 1, Reachable: true,
		})
	logger, out := zap.NewNop().Sugar(), bufio.NewWriter(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var kind string
		var seconds, value float64
		if _, err := fmt.Sscan(lines.Text(), &kind, &seconds, &value); err != nil {
			fmt.Fprintf(os.Stderr, "knative: %q: must be r or s and two numbers: %v\n", lines.Text(), err)
			os.Exit(2)
		}
		now := time.Unix(0, int64(seconds*1e9))
		if kind == "r" {
			told.stable.Record(now, value)
			told.panicking.Record(now, value)
			continue
		}
		running.ready = int(value)
		if result := decider.Scale(logger, now); result.ScaleValid {
			fmt.Fprintln(out, result.DesiredPodCount)
		} else {
			fmt.Fprintln(out, "-")
		}
		out.Flush()
	}
}

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		fmt.Fprintf(os.Stderr, "knative: %q: must be a number\n", text)
		os.Exit(2)
	}
	return value
}
