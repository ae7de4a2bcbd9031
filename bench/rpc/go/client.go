// go-libvirt, asked for times: the same questions and answers as bench/rpc/c/client.c.
// `client SOCKET`: the path of libvirtd's socket.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"
)

var conn *libvirt.Libvirt

func call() {
	if _, err := conn.ConnectGetLibVersion(); err != nil {
		log.Fatal(err)
	}
}

func list(domains int) {
	all, _, err := conn.ConnectListAllDomains(1, 0)
	if err != nil {
		log.Fatal(err)
	}
	if len(all) != domains {
		log.Fatalf("%d domains instead of %d", len(all), domains)
	}
}

// How many calls were made before the clock had passed end.
func callsUntil(end time.Time) int {
	calls := 0
	for ok := true; ok; ok = time.Now().Before(end) {
		for i := 0; i < 20; i++ {
			call()
		}
		calls += 20
	}
	return calls
}

func perCall(begin time.Time, calls int) float64 {
	return float64(time.Since(begin).Nanoseconds()) / float64(calls)
}

func parallel(routines int, limit time.Duration) float64 {
	begin := time.Now()
	var done sync.WaitGroup
	calls := make([]int, routines)
	for i := range calls {
		done.Add(1)
		go func(i int) {
			defer done.Done()
			calls[i] = callsUntil(begin.Add(limit))
		}(i)
	}
	done.Wait()
	all := 0
	for _, n := range calls {
		all += n
	}
	return perCall(begin, all)
}

func lists(domains int, limit time.Duration) float64 {
	begin := time.Now()
	n := 0
	for ok := true; ok; ok = time.Since(begin) < limit {
		list(domains)
		n++
	}
	return perCall(begin, n)
}

func latency(limit time.Duration) string {
	var took []int
	begin := time.Now()
	for last := begin; last.Sub(begin) < limit; {
		call()
		now := time.Now()
		took = append(took, int(now.Sub(last)))
		last = now
	}
	sort.Ints(took)
	return fmt.Sprint(took[len(took)/2], took[len(took)*99/100])
}

func main() {
	conn = libvirt.NewWithDialer(dialers.NewLocal(dialers.WithSocket(os.Args[1])))
	if err := conn.ConnectToURI(libvirt.TestDefault); err != nil {
		log.Fatal(err)
	}
	in := bufio.NewReader(os.Stdin)
	for {
		var verb string
		var units, ms int
		if _, err := fmt.Fscanln(in, &verb, &units, &ms); err != nil {
			break
		}
		limit := time.Duration(ms) * time.Millisecond
		switch verb {
		case "serial":
			begin := time.Now()
			fmt.Println(perCall(begin, callsUntil(begin.Add(limit))))
		case "parallel":
			fmt.Println(parallel(units, limit))
		case "list":
			fmt.Println(lists(units, limit))
		case "latency":
			fmt.Println(latency(limit))
		default:
			log.Fatal(verb)
		}
	}
	if err := conn.Disconnect(); err != nil {
		log.Fatal(err)
	}
}
