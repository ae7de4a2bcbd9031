// go-libvirt against virtwire's daemon: connects, lists, defines, starts, hears of it, uploads and downloads.
// `server_clients SOCKET` prints what it heard, a line each, and `done`.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"
)

const domain = `<domain type='test'><name>go</name><memory>65536</memory><os><type>hvm</type></os></domain>`
const pool = `<pool type='dir'><name>gopool</name><target><path>/gopool</path></target></pool>`
const volume = `<volume><name>a.img</name><capacity>8388608</capacity><allocation>0</allocation></volume>`

func must(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

func equal[T comparable](found, wanted T) {
	if found != wanted {
		must(fmt.Errorf("%v instead of %v", found, wanted))
	}
}

func main() {
	log.SetFlags(log.Lshortfile)
	conn := libvirt.NewWithDialer(dialers.NewLocal(dialers.WithSocket(os.Args[1])))
	must(conn.ConnectToURI("test:///default"))
	events, err := conn.LifecycleEvents(context.Background())
	must(err)

	all, count, err := conn.ConnectListAllDomains(1, 0)
	must(err)
	equal(count, 1)
	equal(all[0].Name, "test")
	_, err = conn.DomainLookupByName("nosuch")
	equal(libvirt.IsNotFound(err), true)

	dom, err := conn.DomainDefineXML(domain)
	must(err)
	must(conn.DomainCreate(dom))
	state, _, err := conn.DomainGetState(dom, 0)
	must(err)
	equal(libvirt.DomainState(state), libvirt.DomainRunning)
	must(conn.DomainDestroy(dom))
	must(conn.DomainUndefine(dom))
	for left := 4; left > 0; left-- {
		event := <-events
		fmt.Println("event", event.Dom.Name, event.Event)
	}

	made, err := conn.StoragePoolCreateXML(pool, 0)
	must(err)
	vol, err := conn.StorageVolCreateXML(made, volume, 0)
	must(err)
	data := make([]byte, 8<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	must(conn.StorageVolUpload(vol, bytes.NewReader(data), 0, uint64(len(data)), 0))
	var back bytes.Buffer
	must(conn.StorageVolDownload(vol, &back, 0, 0, 0))
	equal(bytes.Equal(back.Bytes(), data), true)
	fmt.Println("bytes", back.Len())
	must(conn.StorageVolDelete(vol, 0))
	must(conn.StoragePoolDestroy(made))
	must(conn.Disconnect())
	fmt.Println("done")
}
