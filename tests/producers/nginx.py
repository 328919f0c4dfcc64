"""nginx, as a reverse proxy before the API, writes its access log in several formats at once."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from common import BASE, OUT, make_all, with_httpx

FORMATS = {
    "nginx-combined": "combined",
    "nginx-main": """'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"'""",
    "nginx-timed": """'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" $request_time'""",
    "nginx-vhost": """'$host:$server_port $remote_addr - $remote_user [$time_local] "$request" $status '
        '$body_bytes_sent "$http_referer" "$http_user_agent"'""",
    "nginx-json": """escape=json '{"time":"$time_iso8601","method":"$request_method","uri":"$request_uri",'
        '"host":"$host","status":$status,"bytes":$body_bytes_sent,"request_time":$request_time}'""",
    "nginx-json-msec": """escape=json '{"msec":"$msec","request":"$request","status":"$status",'
        '"body_bytes_sent":"$body_bytes_sent","request_time":"$request_time"}'""",
}


def configuration(room, port):
    formats = [f"log_format {log} {format};" for log, format in FORMATS.items() if format != "combined"]
    names = {log: "combined" if format == "combined" else log for log, format in FORMATS.items()}
    logs = [f"access_log {OUT / log}.log {name};" for log, name in names.items()]
    places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    temporary = [f"{place}_temp_path {room}/{place};" for place in places]
    server = f"server {{ listen 127.0.0.1:{port}; {' '.join(logs)} location / {{ proxy_pass {BASE}; }} }}"
    http = "\n".join(formats + temporary + [server])
    return f"daemon off; worker_processes 1; pid {room}/pid; error_log stderr;\nevents {{}}\nhttp {{\n{http}\n}}\n"


def started(room, listener):
    """nginx goes on with a socket that listens already, as it does when its binary is replaced: no port is fought
    for, and nothing is waited for."""
    file = os.path.join(room, "nginx.conf")
    with open(file, "w") as text:
        text.write(configuration(room, listener.getsockname()[1]))
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        raise SystemExit("nginx is missing; scripts/setup.sh test brings it")
    version = subprocess.run([program, "-v"], capture_output=True, text=True).stderr
    for log in FORMATS:
        print(log, f"nginx {re.search('nginx/([0-9.]+)', version)[1]}", sep="\t")
    environment = os.environ | {"NGINX": f"{listener.fileno()};"}
    return subprocess.Popen([program, "-p", room, "-c", file], pass_fds=[listener.fileno()], env=environment)


with tempfile.TemporaryDirectory() as room, socket.create_server(("127.0.0.1", 0)) as listener:
    nginx = started(room, listener)
    try:
        make_all(with_httpx(f"http://127.0.0.1:{listener.getsockname()[1]}"))
    finally:
        # QUIT lets it finish what it serves, and write its logs.
        nginx.send_signal(signal.SIGQUIT)
        nginx.wait()
