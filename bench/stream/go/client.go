// go-libvirt, asked for times: the same questions and answers as bench/stream/c/client.c.
// `client ADDRESS POOL VOLUME`: the path of libvirtd's socket, or host:port.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket"
	"github.com/digitalocean/go-libvirt/socket/dialers"
)

// Bytes from memory that nobody fills, and bytes that go nowhere.
type counted struct{ left uint64 }

func (c *counted) Read(data []byte) (int, error) {
	n := uint64(len(data))
	if n > c.left {
		n = c.left
	}
	c.left -= n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

func (c *counted) Write(data []byte) (int, error) {
	c.left -= uint64(len(data))
	return len(data), nil
}

func main() {
	log.SetFlags(0)
	var dialer socket.Dialer
	if strings.HasPrefix(os.Args[1], "/") {
		dialer = dialers.NewLocal(dialers.WithSocket(os.Args[1]))
	} else {
		host, port, err := net.SplitHostPort(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		dialer = dialers.NewRemote(host, dialers.UsePort(port))
	}
	conn := libvirt.NewWithDialer(dialer)
	if err := conn.ConnectToURI(libvirt.QEMUSystem); err != nil {
		log.Fatal(err)
	}
	pool, err := conn.StoragePoolLookupByName(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	volume, err := conn.StorageVolLookupByName(pool, os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	in := bufio.NewReader(os.Stdin)
	for {
		var verb string
		var bytes uint64
		var ms int
		if _, err := fmt.Fscanln(in, &verb, &bytes, &ms); err != nil {
			break
		}
		all := &counted{bytes}
		begin := time.Now()
		switch verb {
		case "up":
			err = conn.StorageVolUpload(volume, all, 0, bytes, 0)
		case "down":
			err = conn.StorageVolDownload(volume, all, 0, bytes, 0)
		default:
			log.Fatal(verb)
		}
		took := time.Since(begin)
		if err != nil {
			log.Fatal(err)
		}
		if all.left != 0 {
			log.Fatalf("%d bytes are missing", all.left)
		}
		fmt.Println(took.Nanoseconds())
	}
	if err := conn.Disconnect(); err != nil {
		log.Fatal(err)
	}
}
