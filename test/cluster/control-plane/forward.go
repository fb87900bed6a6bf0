package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const dialTimeout = 5 * time.Second

// door is where a network namespace reaches the target: a listener there, while connections onwards are made from the
// namespace of this process.
type door struct {
	target, namespace, address string
	mutex                      sync.Mutex
	listener                   net.Listener
	connections                map[net.Conn]bool
	// Closed while traffic passes; replaced by an open one while the door hangs.
	passing chan struct{}
}

// forward obeys one command a line on standard input and answers each with "ok" or "error: ...":
//
//	add NAME NAMESPACE-FILE ADDRESS   opens a door in that namespace
//	cut NAME                          resets its connections and refuses new ones
//	hang NAME                         keeps its connections and takes new ones, but nothing passes: a broken network
//	open NAME                         everything passes again
//
// It ends with its standard input.
func forward(target string) {
	doors := map[string]*door{}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		if err := obey(doors, target, strings.Fields(input.Text())); err != nil {
			fmt.Printf("error: %v\n", err)
			continue
		}
		fmt.Println("ok")
	}
}

func obey(doors map[string]*door, target string, words []string) error {
	if len(words) == 4 && words[0] == "add" {
		passing := make(chan struct{})
		close(passing)
		added := &door{target: target, namespace: words[2], address: words[3], connections: map[net.Conn]bool{}, passing: passing}
		doors[words[1]] = added
		return added.open()
	}
	if len(words) != 2 {
		return fmt.Errorf("cannot read %q", strings.Join(words, " "))
	}
	known, found := doors[words[1]]
	if !found {
		return fmt.Errorf("there is no door %q", words[1])
	}
	switch words[0] {
	case "cut":
		known.cut()
		return nil
	case "hang":
		known.hang()
		return nil
	case "open":
		return known.open()
	}
	return fmt.Errorf("there is no command %q", words[0])
}

func (d *door) open() error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	select {
	case <-d.passing:
	default:
		close(d.passing)
	}
	if d.listener != nil {
		return nil
	}
	listener, err := listenIn(d.namespace, d.address)
	if err != nil {
		return err
	}
	d.listener = listener
	go d.accept(listener)
	return nil
}

func (d *door) hang() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	select {
	case <-d.passing:
		d.passing = make(chan struct{})
	default:
	}
}

func (d *door) cut() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.listener != nil {
		d.listener.Close()
		d.listener = nil
	}
	for connection := range d.connections {
		if tcp, is := connection.(*net.TCPConn); is {
			// Closes with a reset.
			tcp.SetLinger(0)
		}
		connection.Close()
	}
	clear(d.connections)
	// Whoever waits for the door to open finds its connection closed.
	select {
	case <-d.passing:
	default:
		close(d.passing)
	}
}

func (d *door) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		go d.serve(near)
	}
}

func (d *door) serve(near net.Conn) {
	defer near.Close()
	if !d.keep(near) {
		return
	}
	defer d.forget(near)
	<-d.gate()
	far, err := net.DialTimeout("tcp", d.target, dialTimeout)
	if err != nil {
		// As if the door led nowhere: the caller sees a reset instead of an orderly end.
		near.(*net.TCPConn).SetLinger(0)
		return
	}
	defer far.Close()
	if !d.keep(far) {
		return
	}
	defer d.forget(far)
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		d.copy(to, from)
		done <- struct{}{}
	}
	go pass(near, far)
	go pass(far, near)
	// One side has ended: the API server and its clients never close only one direction.
	<-done
}

func (d *door) copy(to, from net.Conn) {
	buffer := make([]byte, 32*1024)
	for {
		n, err := from.Read(buffer)
		<-d.gate()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (d *door) gate() chan struct{} {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.passing
}

// keep is false when the door was shut meanwhile.
func (d *door) keep(connection net.Conn) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.listener == nil {
		return false
	}
	d.connections[connection] = true
	return true
}

func (d *door) forget(connection net.Conn) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.connections, connection)
}

// listenIn makes a listener in another network namespace. A socket stays where it was made.
func listenIn(namespace, address string) (net.Listener, error) {
	type outcome struct {
		listener net.Listener
		err      error
	}
	result := make(chan outcome)
	go func() {
		// Never unlocked: the thread ends with this goroutine instead of serving others from the wrong namespace.
		runtime.LockOSThread()
		file, err := os.Open(namespace)
		if err == nil {
			defer file.Close()
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			result <- outcome{nil, fmt.Errorf("%s: %w", namespace, err)}
			return
		}
		listener, err := net.Listen("tcp", address)
		result <- outcome{listener, err}
	}()
	made := <-result
	return made.listener, made.err
}
