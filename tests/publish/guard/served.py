"""A server behind a web configuration: its files, and who asks it."""

import base64
import ssl
import urllib.error
import urllib.request

import bcrypt

PATHS = ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"]


def hashed(password):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


USERS = f"basic_auth_users:\n  prometheus: {hashed('sesame')}\n"


TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


CLIENTS = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"


def issue(authority, folder, *names):
    """Write server.pem and server.key, as a renewal does: the new file takes the old one's place."""
    issued = authority.issue_cert(*(names or ("127.0.0.1",)))
    issued.private_key_pem.write_to_path(folder / "new.key")
    issued.cert_chain_pems[0].write_to_path(folder / "new.pem")
    (folder / "new.key").replace(folder / "server.key")
    (folder / "new.pem").replace(folder / "server.pem")


def trusting(authority, client=None):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    return context


def get(server, path="/metrics", user=None, password="", context=None):
    request = urllib.request.Request(server.url + path)
    if user is not None:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
